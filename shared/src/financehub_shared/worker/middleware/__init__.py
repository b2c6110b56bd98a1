"""One concern per middleware; their order is written in `broker.build`."""

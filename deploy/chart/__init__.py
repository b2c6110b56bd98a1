"""The chart's values as code: `make chart` writes their schema, their formats and the table of the chart's README."""

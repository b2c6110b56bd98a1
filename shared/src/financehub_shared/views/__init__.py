"""Views: the JSON form of records, the same in the command line (`--json`) and in the API.

Each module contains the views of one subject. A view is a `TypedDict` whose fields are described for the API's
documentation, and a pure function that builds it from records. The functions do not read Redis.
"""

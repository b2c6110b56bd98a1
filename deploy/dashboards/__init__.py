"""FinanceHub's Grafana dashboards as code. `make dashboards` writes them to the chart as JSON."""

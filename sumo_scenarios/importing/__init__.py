"""Makes scenario folders of files of others: SUMO configurations, networks with routes, OpenStreetMap extracts."""

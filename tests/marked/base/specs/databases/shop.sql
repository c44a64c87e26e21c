CREATE TABLE orders (order_id TEXT PRIMARY KEY, total_usd REAL, placed_at TEXT, state TEXT);
CREATE TABLE refunds (key TEXT PRIMARY KEY, order_id TEXT);

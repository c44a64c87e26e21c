-- A shop's users, products and orders.  Money is whole cents; lists that nobody searches are JSON.

CREATE TABLE users (
    user_id    TEXT PRIMARY KEY,
    first_name TEXT NOT NULL,
    last_name  TEXT NOT NULL,
    email      TEXT NOT NULL,
    address1   TEXT NOT NULL,
    address2   TEXT NOT NULL,
    city       TEXT NOT NULL,
    state      TEXT NOT NULL,
    country    TEXT NOT NULL,
    zip        TEXT NOT NULL
);
CREATE INDEX users_by_email ON users (email);

CREATE TABLE payment_methods (
    method_id     TEXT PRIMARY KEY,
    user_id       TEXT NOT NULL REFERENCES users,
    position      INTEGER NOT NULL,
    source        TEXT NOT NULL CHECK (source IN ('credit_card', 'gift_card', 'paypal')),
    brand         TEXT,
    last_four     TEXT,
    balance_cents INTEGER
);
CREATE INDEX payment_methods_by_user ON payment_methods (user_id);

CREATE TABLE products (
    product_id TEXT PRIMARY KEY,
    name       TEXT NOT NULL
);

CREATE TABLE variants (
    item_id     TEXT PRIMARY KEY,
    product_id  TEXT NOT NULL REFERENCES products,
    position    INTEGER NOT NULL,
    options     TEXT NOT NULL,
    available   INTEGER NOT NULL,
    price_cents INTEGER NOT NULL
);
CREATE INDEX variants_by_product ON variants (product_id);

CREATE TABLE orders (
    order_id                   TEXT PRIMARY KEY,
    user_id                    TEXT NOT NULL REFERENCES users,
    position                   INTEGER NOT NULL,
    address1                   TEXT NOT NULL,
    address2                   TEXT NOT NULL,
    city                       TEXT NOT NULL,
    state                      TEXT NOT NULL,
    country                    TEXT NOT NULL,
    zip                        TEXT NOT NULL,
    status                     TEXT NOT NULL,
    cancel_reason              TEXT,
    exchange_items             TEXT,
    exchange_new_items         TEXT,
    exchange_payment_method_id TEXT,
    exchange_difference_cents  INTEGER,
    return_items               TEXT,
    return_payment_method_id   TEXT
);
CREATE INDEX orders_by_user ON orders (user_id);

CREATE TABLE order_items (
    order_id    TEXT NOT NULL REFERENCES orders,
    position    INTEGER NOT NULL,
    item_id     TEXT NOT NULL,
    product_id  TEXT NOT NULL,
    name        TEXT NOT NULL,
    options     TEXT NOT NULL,
    price_cents INTEGER NOT NULL,
    PRIMARY KEY (order_id, position)
);

CREATE TABLE fulfillments (
    order_id    TEXT NOT NULL REFERENCES orders,
    position    INTEGER NOT NULL,
    tracking_id TEXT NOT NULL,
    item_ids    TEXT NOT NULL,
    PRIMARY KEY (order_id, position)
);

CREATE TABLE payments (
    order_id         TEXT NOT NULL REFERENCES orders,
    position         INTEGER NOT NULL,
    transaction_type TEXT NOT NULL CHECK (transaction_type IN ('payment', 'refund')),
    amount_cents     INTEGER NOT NULL,
    method_id        TEXT NOT NULL,
    PRIMARY KEY (order_id, position)
);

CREATE TABLE transfers (
    transfer_id INTEGER PRIMARY KEY,
    summary     TEXT NOT NULL,
    asked_at    TEXT NOT NULL
);

-- what the tools give

CREATE VIEW user_documents AS
SELECT u.user_id, json_object(
    'user_id', u.user_id,
    'name', json_object('first_name', u.first_name, 'last_name', u.last_name),
    'address', json_object(
        'address1', u.address1, 'address2', u.address2, 'city', u.city,
        'country', u.country, 'state', u.state, 'zip', u.zip
    ),
    'email', u.email,
    'payment_methods', (
        SELECT json_group_object(method_id, json(
            CASE source
                WHEN 'gift_card' THEN json_object('source', source, 'id', method_id, 'balance', balance_cents / 100.0)
                WHEN 'credit_card' THEN
                    json_object('source', source, 'id', method_id, 'brand', brand, 'last_four', last_four)
                ELSE json_object('source', source, 'id', method_id)
            END
        ))
        FROM (SELECT * FROM payment_methods m WHERE m.user_id = u.user_id ORDER BY m.position)
    ),
    'orders', (
        SELECT json_group_array(order_id)
        FROM (SELECT order_id FROM orders o WHERE o.user_id = u.user_id ORDER BY o.position)
    )
) AS document
FROM users u;

CREATE VIEW variant_documents AS
SELECT v.item_id, v.product_id, v.position, json_object(
    'item_id', v.item_id,
    'options', json(v.options),
    'available', json(iif(v.available, 'true', 'false')),
    'price', v.price_cents / 100.0
) AS document
FROM variants v;

CREATE VIEW product_documents AS
SELECT p.product_id, json_object(
    'name', p.name,
    'product_id', p.product_id,
    'variants', (
        SELECT json_group_object(item_id, json(document))
        FROM (SELECT * FROM variant_documents v WHERE v.product_id = p.product_id ORDER BY v.position)
    )
) AS document
FROM products p;

CREATE VIEW order_documents AS
SELECT o.order_id, json_object(
    'order_id', o.order_id,
    'user_id', o.user_id,
    'address', json_object(
        'address1', o.address1, 'address2', o.address2, 'city', o.city,
        'country', o.country, 'state', o.state, 'zip', o.zip
    ),
    'items', (
        SELECT json_group_array(json_object(
            'name', name, 'product_id', product_id, 'item_id', item_id,
            'price', price_cents / 100.0, 'options', json(options)
        ))
        FROM (SELECT * FROM order_items i WHERE i.order_id = o.order_id ORDER BY i.position)
    ),
    'status', o.status,
    'fulfillments', (
        SELECT json_group_array(json_object('tracking_id', json(tracking_id), 'item_ids', json(item_ids)))
        FROM (SELECT * FROM fulfillments f WHERE f.order_id = o.order_id ORDER BY f.position)
    ),
    'payment_history', (
        SELECT json_group_array(json_object(
            'transaction_type', transaction_type, 'amount', amount_cents / 100.0, 'payment_method_id', method_id
        ))
        FROM (SELECT * FROM payments p WHERE p.order_id = o.order_id ORDER BY p.position)
    ),
    'cancel_reason', o.cancel_reason,
    'exchange_items', json(o.exchange_items),
    'exchange_new_items', json(o.exchange_new_items),
    'exchange_payment_method_id', o.exchange_payment_method_id,
    'exchange_price_difference', o.exchange_difference_cents / 100.0,
    'return_items', json(o.return_items),
    'return_payment_method_id', o.return_payment_method_id
) AS document
FROM orders o;

CREATE TABLE orders (
  id INTEGER PRIMARY KEY,
  customer TEXT NOT NULL,
  total NUMERIC(10, 2)
);

INSERT INTO orders (customer, total) VALUES ('Ada', 12.50), ('Bo', 7.20);

SELECT customer, SUM(total) AS spent
FROM orders
GROUP BY customer
ORDER BY spent DESC;

CREATE TABLE keyed (
  t TIMESTAMP NOT NULL, k TEXT, n BIGINT,
  WATERMARK FOR t
) WITH (connector = 'single_file', path = 'input.jsonl', type = 'source', format = 'json');
SELECT n, CASE WHEN octet_length(CAST(k AS TEXT)) > 1024 OR (character_length(CAST(k AS TEXT)) = 273 AND substr(CAST(k AS TEXT), 241, 1) = '~')
    THEN concat(left(CAST(k AS TEXT), 240), '~', left(encode(sha256(CAST(k AS TEXT)), 'hex'), 32))
    ELSE coalesce(nullif(CAST(k AS TEXT), ''), '(none)') END AS stored FROM keyed;

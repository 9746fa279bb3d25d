-- Hashed: HMAC-SHA-256 of the number as E.164, so that it is the same text wherever it
-- stands. What is a hash already stays as it is.
create macro protected_number(written) as
case
    when regexp_full_match(written, '[0-9a-f]{64}') then written
    when written is not null then hmac_of(coalesce(full_number(written), written))
end;

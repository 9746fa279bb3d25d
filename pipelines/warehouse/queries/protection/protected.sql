-- Macros for the columns that may have a number in them, on top of protected_number().
create macro protected_text(written) as
case when has_number(written) then protected_number(written) else written end;

-- vendor:account:id, where the id may be a number. A mask could give two ids one key.
create macro protected_key(written) as
case
    when regexp_full_match(written, '[^:]*:[^:]*:[0-9a-f]{64}') then written
    when has_number(regexp_extract(written, '^[^:]*:[^:]*:(.*)$', 1))
        then
            regexp_extract(written, '^[^:]*:[^:]*:')
            || hmac_of(regexp_extract(written, '^[^:]*:[^:]*:(.*)$', 1))
    else written
end;

create macro protected_record(written) as
case when written is not null then '***' end;

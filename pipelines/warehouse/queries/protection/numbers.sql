-- Macros that read what vendors write, for the other files of this folder.
-- A number is read if it is written in full: with a plus or 00, or with eleven digits or
-- more and without a trunk 0. Else its country is not known.
create macro only_digits(written) as regexp_replace(written, '\P{Nd}', '', 'g');

create macro full_number(written) as
case
    when not regexp_full_match(written, '\s*(?:tel:|callto:)?[\s(]*\+?[0-9\s().\-/]+') then null
    when length(only_digits(written)) not between 7 and 17 then null
    when contains(written, '+') then '+' || only_digits(written)
    when starts_with(only_digits(written), '00')
        then '+' || substr(only_digits(written), 3)
    when starts_with(only_digits(written), '0') then null
    when length(only_digits(written)) >= 11 then '+' || only_digits(written)
end;

-- Seven digits with nothing but separators between them, or an address; except amounts,
-- times and UUIDs.
create macro has_number(written) as (
    regexp_matches(written, '(?:\p{Nd}[^\p{L}\p{Nd}]{0,3}){7}') or contains(written, '@')
    or regexp_matches(written, '(?i)\b(sips?|tel):')
)
and not regexp_full_match(
    written,
    '-?(?:0|[1-9]\d{0,3})\.\d{1,6}'
    || '|\d{4}-\d\d-\d\d(?:[T ][0-9:.]+\s?(?:Z|[+-]\d\d:?\d\d)?)?'
    || '|[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}'
);

create macro hmac_of(written) as
sha256(getvariable('outer_key') || unhex(sha256(getvariable('inner_key') || encode(written))));

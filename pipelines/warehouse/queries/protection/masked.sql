-- Masked: of a number the country code and the last two digits stay, of anything else
-- nothing. What is masked already stays as it is.
create macro masked_digits(number) as
regexp_extract(number, getvariable('country_code'))
|| repeat('*', length(number) - length(regexp_extract(number, getvariable('country_code'))) - 2)
|| right(number, 2);

create macro protected_number(written) as
case
    when regexp_full_match(written, '\+\d+\*+\d\d') then written
    when written is not null then coalesce(masked_digits(full_number(written)), '***')
end;

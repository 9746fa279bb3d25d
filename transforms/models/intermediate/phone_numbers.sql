-- One row per number of the calls of a build as its vendor writes it, so that each is read
-- once: phone_number() is the function of transforms/runner/phone_numbers.py.
-- @key vendor, account, number
-- @not_null kind
-- @accepted kind: e164, sip, internal, anonymous, unknown
-- @check (e164 is not null) = (kind = 'e164')
with written as (
    select
        vendor,
        account,
        customer_number as number
    from staging.calls
    where customer_number is not null
    union distinct
    select
        vendor,
        account,
        business_number as number
    from staging.calls
    where business_number is not null
),

parsed_numbers as (
    select
        written.vendor,
        written.account,
        written.number,
        coalesce(formats.has_named_users, false) as has_named_users,
        phone_number(
            written.number, accounts.region, coalesce(formats.omits_plus, false)
        ) as parsed
    from written
    left join config.accounts as accounts
        on written.vendor = accounts.vendor and written.account = accounts.account
    left join staging.number_formats as formats on written.vendor = formats.vendor
)

select
    parsed_numbers.vendor,
    parsed_numbers.account,
    parsed_numbers.number,
    parsed_numbers.parsed.e164,
    case
        when
            parsed_numbers.has_named_users
            and parsed_numbers.parsed.kind = 'unknown'
            and regexp_full_match(parsed_numbers.number, '[A-Za-z][\w.-]*')
            then 'internal'
        else parsed_numbers.parsed.kind
    end as kind,
    parsed_numbers.parsed.country
from parsed_numbers

-- One row per voice session and who pays for it: its customer, then the customers above
-- that one, then the account.
-- @key account, vendor_call_id, level
-- @column level: customerId is the first; customerBreadcrumb is read from its end, for it
--     begins with the outermost (evovoice.md, section 8)
-- @column payer_kind: customer or account
-- @column payer_id: customerId, customerBreadcrumb[].id, accountId
-- @column payer_name: customerName, customerBreadcrumb[].name, accountName
with chains as (
    select
        account,
        record_id,
        list_concat(
            [
                struct_pack(
                    kind := 'customer',
                    id := session['customerId'],
                    name := session['customerName']
                )
            ],
            list_transform(
                list_reverse(session['customerBreadcrumb']),
                lambda x: struct_pack(kind := 'customer', id := x['id'], name := x['name'])
            ),
            [
                struct_pack(
                    kind := 'account',
                    id := session['accountId'],
                    name := session['accountName']
                )
            ]
        ) as chain
    from staging.evovoice__sessions
    where is_call
),

payers as (
    select
        account,
        record_id,
        unnest(chain) as payer,
        generate_subscripts(chain, 1) as place
    from chains
),

named as (
    select
        account,
        record_id,
        place,
        payer['kind'] as payer_kind,
        nullif(payer['id'], '') as payer_id,
        nullif(payer['name'], '') as payer_name
    from payers
),

-- The breadcrumb may end with the customer itself, and may have its name.
merged as (
    select
        account,
        record_id,
        payer_kind,
        payer_id,
        min(place) as place,
        arg_min(payer_name, place) as payer_name
    from named
    where coalesce(payer_id, payer_name) is not null
    group by account, record_id, payer_kind, payer_id, if(payer_id is null, place, null)
)

select
    account,
    record_id as vendor_call_id,
    row_number() over (partition by account, record_id order by place)::integer as level,
    payer_kind,
    payer_id,
    payer_name
from merged

-- One row per voice session: its words without a mapping, and its values of another type.
-- @key account, vendor_call_id
-- @not_null unknown_values
with opened as (
    select
        sessions.account,
        sessions.record_id as vendor_call_id,
        sessions.session,
        sessions.members_type,
        sessions.completed_at,
        words.outcome as known_outcome
    from staging.evovoice__sessions as sessions
    left join seeds.outcomes as words
        on
            words.vendor = 'evovoice'
            and sessions.session['outcome'] = words.vendor_outcome
    where sessions.session['channel'] in ('Voice', '0')
),

said as (
    select
        *,
        [
            { 'field': 'direction', 'value': session['direction'] },
            { 'field': 'outcome', 'value': session['outcome'] },
            { 'field': 'dateCompleted', 'value': session['dateCompleted'] },
            { 'field': 'ended', 'value': session['ended'] },
            { 'field': 'wasMissed', 'value': session['wasMissed'] },
            { 'field': 'members', 'value': members_type }
        ] as fields,
        list_transform(
            session['members'],
            lambda x: { 'field': 'members.role', 'value': x['role'] }
        ) as roles
    from opened
)

select
    account,
    vendor_call_id,
    list_filter(
        list_concat(fields, roles),
        lambda x: x['value'] != '' and case
            when x['field'] = 'direction'
                then x['value'] not in ('Incoming', 'Outgoing', '0', '1')
            when x['field'] = 'outcome' then known_outcome is null
            when x['field'] = 'dateCompleted' then completed_at is null
            when x['field'] = 'members' then x['value'] not in ('ARRAY', 'NULL')
            when x['field'] = 'members.role'
                then x['value'] not in (
                    'None', 'Caller', 'Agent', 'Transfer', '0', '1', '2', '3'
                )
            else try_cast(x['value'] as boolean) is null
        end
    ) as unknown_values
from said

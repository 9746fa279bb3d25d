-- The records just read of which there are stored versions, and whether one is marked as
-- depersonalised. A version is parsed only if it has the mark's name somewhere.
select
    stored.account,
    stored.record_id,
    bool_or(
        case
            when contains(stored.payload, wanted.mark)
                then json_extract_string(stored.payload, '$.' || wanted.mark) = 'true'
            else false
        end
    ) as marked
from records as stored
inner join wanted
    on stored.account = wanted.account and stored.record_id = wanted.record_id
where stored.payload is not null
group by all

-- The records just read of which a held version is marked as depersonalised.
select distinct
    stored.account,
    stored.record_id
from records as stored
inner join asked
    on stored.account = asked.account and stored.record_id = asked.record_id
where
    contains(stored.payload, asked.mark)
    and json_extract_string(stored.payload, '$.' || asked.mark) = 'true'

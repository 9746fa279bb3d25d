-- The records just read of which a stored version is marked as depersonalised.
select distinct
    stored.account,
    stored.record_id
from records as stored
inner join wanted
    on stored.account = wanted.account and stored.record_id = wanted.record_id
where
    contains(stored.payload, wanted.mark)
    and json_extract_string(stored.payload, '$.' || wanted.mark) = 'true'

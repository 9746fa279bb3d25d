-- quarantine_old
-- Records in quarantine that no read has had since getvariable('before'), with what will
-- stand in place of their text: another one for each, so that they stay as many.
select
    account,
    stream,
    payload,
    getvariable('removed') || uuid()::varchar as stand_in
from raw.quarantine
where not starts_with(payload, getvariable('removed'))
group by account, stream, payload
having max(fetched_at) < getvariable('before')

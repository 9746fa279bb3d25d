-- How the raw files differ from what was built.
select
    (select any_value(fingerprint) from ops.build_state) as fingerprint,
    (select min(vendor) from ops.kept_vendors where vendor in ({vendors})) as back,
    (
        select min(vendor)
        from ops.built_loads as built
        anti join temp."run.loads" as loads using (vendor, load_id)
        where vendor in ({vendors})
    ) as lacking

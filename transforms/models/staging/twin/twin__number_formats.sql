-- One row: how the vendor writes numbers.
select true as omits_plus -- in full, without the plus

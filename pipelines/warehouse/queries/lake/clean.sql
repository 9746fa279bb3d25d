-- Write many small files, and files with many deleted rows, anew as fewer; then delete files
-- that no snapshot has: those of snapshots that are forgotten, and those that a killed build or
-- load left. A reader may still have them open, or a build be writing them.
call ducklake_merge_adjacent_files('{name}', max_file_size => {small});

call ducklake_rewrite_data_files('{name}', delete_threshold => {share});

call ducklake_cleanup_old_files('{name}', older_than => now() - interval '{grace}');

call ducklake_delete_orphaned_files('{name}', older_than => now() - interval '{longest}');

-- Delete at once all files that no snapshot has. Nobody may be writing.
call ducklake_cleanup_old_files('{name}', cleanup_all => true);

call ducklake_delete_orphaned_files('{name}', cleanup_all => true);

-- Forget snapshots; files that no other has are to be deleted then.
call ducklake_expire_snapshots('{name}', versions => [{versions}]);

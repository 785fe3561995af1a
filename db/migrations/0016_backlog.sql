-- +goose Up

-- What waits is counted when Prometheus asks: over all portals, and without seeing what it is about.
grant select (portal_id, id, received_at) on deliveries to sparki_system;
grant select (blob_id) on project_media to sparki_system;
create index write_backs_failed on write_backs (portal_id) where state = 'FAILED';
create index sync_runs_unapproved on sync_runs (portal_id) where state = 'NEEDS_APPROVAL';
create index project_media_given_up on project_media (portal_id) where copy_due_at is null and blob_id is null;

-- +goose Down
drop index project_media_given_up, sync_runs_unapproved, write_backs_failed;
revoke select (blob_id) on project_media from sparki_system;
revoke select (portal_id, id, received_at) on deliveries from sparki_system;

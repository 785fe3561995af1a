-- +goose Up

-- The files in the blob store, each content once per portal. The object's key is
-- "<portal_id>/<sha256>-<id>": a file that is being deleted is never the one that comes back, so
-- neither deleting nor storing has to hold a lock while it talks to the store.
create table blobs (
  portal_id    uuid not null references portals,
  id           uuid not null,
  sha256       text not null, -- hexadecimal
  mime_type    text not null, -- by content, never by what the CRM says
  size         bigint not null, -- bytes
  stored_at    timestamptz, -- null until the object is there
  unused_since timestamptz default now(), -- null while a medium refers to it, as far as we looked
  doomed_at    timestamptz, -- no medium may refer to it any more: the object is deleted, then the row
  primary key (portal_id, id)
);
create unique index blobs_content on blobs (portal_id, sha256) where doomed_at is null;
alter table blobs enable row level security;
alter table blobs force row level security;
create policy portal on blobs to sparki_app using (portal_id = nullif(current_setting('app.portal', true), '')::uuid);
create policy everything on blobs to sparki_system using (true);
grant select, insert, update, delete on blobs to sparki_app;

alter table project_media
  add column blob_id       uuid, -- the copy that we serve; null: the CRM's URL is served
  add column copy_due_at   timestamptz default now(), -- also the end of the lease; null: copied, or given up
  add column copy_fence    bigint not null default 0,
  add column copy_attempts integer not null default 0,
  add column copy_error    text, -- of the last try, for operators
  add foreign key (portal_id, blob_id) references blobs;
create index project_media_due on project_media (portal_id, copy_due_at) where copy_due_at is not null;
create index project_media_blob on project_media (portal_id, blob_id) where blob_id is not null;
create index project_media_id on project_media (id); -- /media/{id} names no portal

-- When the portal's files that nothing refers to are collected next.
alter table portals add column collect_due_at timestamptz not null default now();

grant select (portal_id, id, copy_due_at) on project_media to sparki_system;
grant select (collect_due_at) on portals to sparki_system;

-- +goose Down
alter table portals drop column collect_due_at;
drop index project_media_id;
alter table project_media drop column blob_id, drop column copy_due_at, drop column copy_fence, drop column copy_attempts, drop column copy_error;
drop table blobs;

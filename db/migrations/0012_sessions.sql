-- +goose Up

-- Browsers that signed in. Whoever holds the cookie is the caller whose name and rights stand here.
create table sessions (
  portal_id   uuid not null references portals,
  id          uuid not null,
  hash        bytea not null, -- sha256 of the cookie
  token_id    uuid, -- the API token that it was traded for, with which it ends; null for a token of the identity provider
  name        text not null,
  permissions text[] not null,
  created_at  timestamptz not null default now(),
  expires_at  timestamptz not null,
  primary key (portal_id, id),
  foreign key (portal_id, token_id) references api_tokens on delete cascade
);
alter table sessions enable row level security;
alter table sessions force row level security;
create policy portal on sessions to sparki_app using (portal_id = nullif(current_setting('app.portal', true), '')::uuid);
create policy everything on sessions to sparki_system using (true);
grant select, insert, update, delete on sessions to sparki_app;

-- +goose Down
drop table sessions;

-- +goose Up

-- Which key a secret is sealed with: it stands in front of the seal, one byte with its length and then its
-- id. So what an old key still seals is found without opening anything.
alter table settings
  add column sealed_key   text generated always as (encode(substr(sealed, 2, get_byte(sealed, 0)), 'escape')) stored,
  add column previous_key text generated always as (encode(substr(previous, 2, get_byte(previous, 0)), 'escape')) stored;
create index settings_sealed_key on settings (sealed_key, portal_id, integration_id, key) where sealed is not null;
create index settings_previous_key on settings (previous_key, portal_id, integration_id, key) where previous is not null;
grant select (portal_id, integration_id, key, sealed_key, previous_key) on settings to sparki_system;

-- +goose Down
revoke select (portal_id, integration_id, key, sealed_key, previous_key) on settings from sparki_system;
alter table settings drop column sealed_key, drop column previous_key;

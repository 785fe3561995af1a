create table if not exists beside_deliveries (
  id          uuid primary key,
  body        bytea not null,
  received_at timestamptz not null default now()
);

create table if not exists beside_messages (
  id          text primary key,
  delivery_id uuid not null references beside_deliveries,
  entity_type text not null,
  entity_id   text not null,
  event       text not null,
  outcome     text not null default 'PENDING'
);
create index if not exists beside_messages_pending on beside_messages (delivery_id) where outcome = 'PENDING';

create table if not exists beside_items (
  id            text primary key,
  source_type   text not null,
  title         text not null,
  status        text,
  category      text,
  price         numeric(15, 2),
  street        text,
  house_number  text,
  postal_code   text,
  city          text,
  thumbnail_url text,
  description   text,
  bedrooms      integer,
  area          numeric,
  energy_label  text,
  modified_at   timestamptz not null,
  raw           jsonb not null,
  synced_at     timestamptz not null default now()
);
create index if not exists beside_items_synced on beside_items (synced_at desc, id desc);

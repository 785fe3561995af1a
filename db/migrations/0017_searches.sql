-- +goose Up

-- What is searched for lies in tables of its own. A change of an item or a project writes a new row to each
-- of the table's indexes, and a trigram index takes a hundred entries for it, though hardly any change
-- touches a title, an address or a code.
create table item_searches (
  portal_id uuid not null,
  id        uuid not null, -- of the item
  search    text not null,
  primary key (portal_id, id),
  foreign key (portal_id, id) references items on delete cascade
);
create table project_searches (
  portal_id uuid not null,
  id        uuid not null, -- of the project
  search    text not null,
  primary key (portal_id, id),
  foreign key (portal_id, id) references projects on delete cascade
);
insert into item_searches select portal_id, id, search from items;
insert into project_searches select portal_id, id, search from projects;
create index item_searches_search on item_searches using gin (search gin_trgm_ops);
create index project_searches_search on project_searches using gin (search gin_trgm_ops);

alter table item_searches enable row level security;
alter table item_searches force row level security;
alter table project_searches enable row level security;
alter table project_searches force row level security;
create policy portal on item_searches to sparki_app using (portal_id = nullif(current_setting('app.portal', true), '')::uuid);
create policy portal on project_searches to sparki_app using (portal_id = nullif(current_setting('app.portal', true), '')::uuid);
create policy everything on item_searches to sparki_system using (true);
create policy everything on project_searches to sparki_system using (true);
create policy search on item_searches for select to sparki_search using (true);
create policy search on project_searches for select to sparki_search using (true);
grant select, insert, update, delete on item_searches, project_searches to sparki_app;
grant select on item_searches, project_searches to sparki_search;

-- +goose StatementBegin
create function keep_item_search() returns trigger language plpgsql set search_path = public, pg_temp as
'begin
  insert into item_searches values (new.portal_id, new.id, new.search)
  on conflict (portal_id, id) do update set search = excluded.search;
  return null;
end';
-- +goose StatementEnd
-- +goose StatementBegin
create function keep_project_search() returns trigger language plpgsql set search_path = public, pg_temp as
'begin
  insert into project_searches values (new.portal_id, new.id, new.search)
  on conflict (portal_id, id) do update set search = excluded.search;
  return null;
end';
-- +goose StatementEnd
create trigger search_added after insert on items for each row execute function keep_item_search();
create trigger search_changed after update of search on items for each row
  when (old.search is distinct from new.search) execute function keep_item_search();
create trigger search_added after insert on projects for each row execute function keep_project_search();
create trigger search_changed after update of search on projects for each row
  when (old.search is distinct from new.search) execute function keep_project_search();

-- Planned for the pattern that is asked for: whether the index helps depends on it.
-- +goose StatementBegin
create or replace function found_items(text, integer) returns setof uuid
language plpgsql stable security definer set search_path = public, pg_temp set plan_cache_mode = force_custom_plan as
'begin return query
select id from item_searches where portal_id = nullif(current_setting(''app.portal'', true), '''')::uuid and search like $1 limit $2;
end';
-- +goose StatementEnd
-- +goose StatementBegin
create or replace function found_projects(text, integer) returns setof uuid
language plpgsql stable security definer set search_path = public, pg_temp set plan_cache_mode = force_custom_plan as
'begin return query
select id from project_searches where portal_id = nullif(current_setting(''app.portal'', true), '''')::uuid and search like $1 limit $2;
end';
-- +goose StatementEnd

drop index items_search, projects_search;
drop policy search on items;
drop policy search on projects;
revoke select (portal_id, id, search) on items, projects from sparki_search;

-- +goose Down
grant select (portal_id, id, search) on items, projects to sparki_search;
create policy search on projects for select to sparki_search using (true);
create policy search on items for select to sparki_search using (true);
create index projects_search on projects using gin (portal_id, search gin_trgm_ops);
create index items_search on items using gin (portal_id, search gin_trgm_ops);
create or replace function found_items(text, integer) returns setof uuid
language sql stable security definer set search_path = public, pg_temp as
'select id from items where portal_id = nullif(current_setting(''app.portal'', true), '''')::uuid and search like $1 limit $2';
create or replace function found_projects(text, integer) returns setof uuid
language sql stable security definer set search_path = public, pg_temp as
'select id from projects where portal_id = nullif(current_setting(''app.portal'', true), '''')::uuid and search like $1 limit $2';
drop trigger search_added on items;
drop trigger search_changed on items;
drop trigger search_added on projects;
drop trigger search_changed on projects;
drop function keep_item_search, keep_project_search;
drop table project_searches, item_searches;

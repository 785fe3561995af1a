-- +goose Up

-- Searches by a trigram index. Row-level security keeps sparki_app from it: an operator that could tell
-- of a row (and LIKE could, Postgres thinks) is run only after the policy has let the row through. So two
-- functions look there in a role of their own. They see the portal of the transaction and nothing else,
-- and give ids, which mean nothing to somebody who cannot read the rows.
create extension if not exists pg_trgm;
create extension if not exists btree_gin;

-- +goose StatementBegin
do $$
begin
  begin
    create role sparki_search nologin;
  exception when duplicate_object or unique_violation then null; -- another database of this server made it
  end;
  begin
    execute format('grant sparki_search to %I', current_user);
  exception when unique_violation or internal_error then null; -- "tuple concurrently updated": granted meanwhile
  end;
end
$$;
-- +goose StatementEnd

create index items_search on items using gin (portal_id, search gin_trgm_ops);
create index projects_search on projects using gin (portal_id, search gin_trgm_ops);
create policy search on items for select to sparki_search using (true);
create policy search on projects for select to sparki_search using (true);
grant usage, create on schema public to sparki_search;
grant select (portal_id, id, search) on items, projects to sparki_search;

-- found_items gives at most $2 items of the transaction's portal whose search text is like $1.
create function found_items(text, integer) returns setof uuid
language sql stable security definer set search_path = public, pg_temp as
'select id from items where portal_id = nullif(current_setting(''app.portal'', true), '''')::uuid and search like $1 limit $2';

create function found_projects(text, integer) returns setof uuid
language sql stable security definer set search_path = public, pg_temp as
'select id from projects where portal_id = nullif(current_setting(''app.portal'', true), '''')::uuid and search like $1 limit $2';

alter function found_items owner to sparki_search;
alter function found_projects owner to sparki_search;
revoke create on schema public from sparki_search;
revoke execute on function found_items, found_projects from public;
grant execute on function found_items, found_projects to sparki_app;

-- +goose Down
drop function found_projects, found_items;
revoke select (portal_id, id, search) on items, projects from sparki_search;
revoke usage on schema public from sparki_search;
drop policy search on projects;
drop policy search on items;
drop index projects_search, items_search;

// The API explorer: GraphiQL with our address, our token and a first query. React, ReactDOM and GraphiQL are the globals of
// the vendored UMD builds, loaded before this file.

const { createElement: h, useMemo, useState } = React;

// Shown in the Headers pane of a new tab, so that only the token is left to paste.
const emptyHeaders = JSON.stringify({ Authorization: 'Bearer ' }, null, 2);

const firstQuery = `# Paste your API token after "Bearer"
# in the Headers pane below, then run
# with Ctrl+Enter. Subscriptions use it
# too. A reload forgets it.
{
  viewer {
    name
    portal {
      name
    }
  }
  integrations {
    id
    provider {
      name
    }
    syncStatus {
      state
    }
  }
}
`;

// What the Headers pane says, made fit to send: "Authorization" spelled as connection_init needs it, whatever its case in the
// pane, and left out while no token is behind "Bearer", so that a session cookie can do its work; X-Requested-With makes it count.
function sendable(headers) {
  return Object.fromEntries(
    Object.entries({ 'X-Requested-With': 'GraphiQL', ...headers })
      .map(([name, value]) => [name.toLowerCase() === 'authorization' ? 'Authorization' : name, value])
      .filter(([name, value]) => name !== 'Authorization' || !/^\s*(bearer\s*)?$/i.test(value)),
  );
}

// GraphiQL sends the pane's headers with every HTTP request, and as connection_init payload with every subscription: its
// bundle holds a graphql-transport-ws client. Incremental delivery is off because the server has no @defer.
function newFetcher() {
  const socket = new URL('/graphql', location.href);
  socket.protocol = socket.protocol.replace('http', 'ws');
  const fetcher = GraphiQL.createFetcher({
    url: '/graphql',
    subscriptionUrl: socket.href,
    wsConnectionParams: { 'Accept-Language': navigator.languages.join(', ') },
    enableIncrementalDelivery: false,
  });
  return (params, options) => fetcher(params, { ...options, headers: sendable(options?.headers) });
}

// Local storage without headers: shouldPersistHeaders keeps them out of the tabs, but GraphiQL's history saves them all the
// same.
function newStorage() {
  const local = GraphiQL.createLocalStorage({ namespace: 'sparki' });
  return Object.assign(Object.create(local), {
    setItem(key, value) {
      if (key === 'graphiql:queries' || key === 'graphiql:favorites') {
        value = JSON.stringify(JSON.parse(value, (name, part) => (name === 'headers' ? undefined : part)));
      }
      local.setItem(key, value);
    },
  });
}

const storage = newStorage();

// The shared part of the state lives in the fragment, so that a link can be mailed and a reload shows the same. Not in the
// query string, which servers log: a mutation's variables can hold secrets. Headers are never in the address.
const link = new URLSearchParams(location.hash.slice(1));

function rememberInLink({ tabs, activeTabIndex }) {
  const { query, variables } = tabs[activeTabIndex];
  const state = Object.entries({ query, variables }).filter(([, value]) => value);
  history.replaceState(null, '', `#${new URLSearchParams(state)}`);
}

// Someone opened another link in this tab; replaceState does not fire this.
addEventListener('hashchange', () => location.reload());

function Explorer() {
  // The headers last seen in the pane are what new tabs start with: a token is pasted once.
  const [headers, setHeaders] = useState(emptyHeaders);
  const onEditHeaders = useMemo(() => {
    let timer;
    return (text) => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        try {
          JSON.parse(text);
        } catch {
          return; // half typed
        }
        setHeaders(text);
      }, 300);
    };
  }, []);
  // A new fetcher makes GraphiQL read the schema again, now with the token.
  const fetcher = useMemo(newFetcher, [headers]);

  return h(
    GraphiQL,
    {
      fetcher,
      defaultQuery: firstQuery,
      query: link.get('query') ?? undefined,
      variables: link.get('variables') ?? undefined,
      defaultHeaders: headers,
      defaultEditorToolsVisibility: 'headers',
      shouldPersistHeaders: false,
      storage,
      onEditHeaders,
      onTabChange: rememberInLink,
    },
    h(GraphiQL.Logo, null, h('a', { className: 'graphiql-logo-link', href: '/' }, 'Sparki')),
  );
}

ReactDOM.createRoot(document.getElementById('explorer')).render(h(Explorer));

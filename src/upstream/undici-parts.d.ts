/** The two parts of undici that the gate uses: its front door loads fetch, sockets, caches and mocks as well. */

// The front door also hangs `request` and its like on these two; as they come here they have `dispatch` alone.
declare module 'undici/lib/dispatcher/pool.js' {
  export { Pool as default } from 'undici'
}

declare module 'undici/lib/dispatcher/client.js' {
  export { Client as default } from 'undici'
}

/** The one part of rate-limiter-flexible that the meter uses: its front door loads a driver for every database. */

declare module 'rate-limiter-flexible/lib/RateLimiterMemory.js' {
  export { RateLimiterMemory as default } from 'rate-limiter-flexible'
}

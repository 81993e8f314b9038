/** Waiting, as an argument: tests bring timers of their own. */

/** Runs once after so many milliseconds; the result calls it off. */
export type After = (delayMs: number, run: () => void) => () => void

/** Never keeps the process alive. */
export const systemAfter: After = (delayMs, run) => {
  const timer = setTimeout(run, delayMs)
  timer.unref()
  return () => clearTimeout(timer)
}

/** Lets everything else that is due run first. */
export function breathe(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}

/** @throws the signal's reason, as soon as it is aborted */
export function pause(after: After, delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted()
    const stop = () => {
      callOff()
      reject(signal.reason)
    }
    const callOff = after(delayMs, () => {
      signal.removeEventListener('abort', stop)
      resolve()
    })
    signal.addEventListener('abort', stop, { once: true })
  })
}

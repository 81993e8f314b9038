/** A callback again and again, until it is disposed of. */

/** Keeps no process alive. */
export function every(ms: number, callback: () => void): Disposable {
  const timer = setInterval(callback, ms)
  timer.unref()
  return { [Symbol.dispose]: () => clearInterval(timer) }
}

/** Counts what arrives, and lets a test make the next answers odd, down to their bytes. */
import type { RequestHandler, Response } from 'express'

export type Fault = {
  /** `url` is path and query as they arrived. */
  when: (request: { method: string; url: string }) => boolean
  /** How many answers; one where it is not said. */
  times?: number
} & (
  | { answer: { status: number; headers: Record<string, string>; body: string | Buffer } }
  /** The whole answer as it goes over the wire, status line first, and how the connection ends then. */
  | { bytes: string | Buffer; ending: 'close' | 'reset' }
)

export class Traffic {
  readonly #counts = new Map<string, number>()
  #faults: { fault: Fault; left: number }[] = []

  /** By method and path, without the query. */
  counts(): Record<string, number> {
    return Object.fromEntries(this.#counts)
  }

  clear(): void {
    this.#counts.clear()
  }

  add(fault: Fault): void {
    this.#faults.push({ fault, left: fault.times ?? 1 })
  }

  readonly handle: RequestHandler = (request, response, next) => {
    const { method, originalUrl: url } = request
    if (url.startsWith('/_simulator/')) {
      next()
      return
    }
    const [path = ''] = url.split('?', 1)
    const key = `${method} ${path}`
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1)
    const due = this.#faults.find(({ fault }) => fault.when({ method, url }))
    if (!due) {
      next()
      return
    }
    due.left -= 1
    if (due.left === 0) this.#faults = this.#faults.filter((each) => each !== due)
    commit(due.fault, response)
  }
}

function commit(fault: Fault, response: Response): void {
  if ('answer' in fault) {
    const { status, headers, body } = fault.answer
    response.writeHead(status, headers).end(body)
    return
  }
  const { socket } = response
  if (fault.ending === 'close') socket?.end(fault.bytes)
  else socket?.write(fault.bytes, () => socket.resetAndDestroy())
}

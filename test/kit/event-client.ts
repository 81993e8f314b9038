/** A client of an event stream over a real socket: what it got, event by event, and how it ended. */

import { request, type IncomingHttpHeaders } from 'node:http'

export type HeardEvent = { name: string; data: string }

export type EventClient = AsyncDisposable & {
  status: number
  headers: IncomingHttpHeaders
  /** Everything of the body so far. */
  text(): string
  events(): HeardEvent[]
  names(): string[]
  /** `end`: a whole answer. `broken`: the connection broke off. */
  ended: Promise<'end' | 'broken'>
  /** Milliseconds (monotonic) at which it ended; `undefined`: it is open. */
  endedAt(): number | undefined
  pause(): void
  resume(): void
  /** Gives up: the connection is destroyed. */
  leave(): void
}

/** Resolves with the answer's head. */
export function listen(
  url: string,
  path: string,
  token: string | undefined,
  method: 'GET' | 'HEAD' = 'GET',
): Promise<EventClient> {
  const headers = {
    accept: 'text/event-stream',
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
  }
  return new Promise((resolve, reject) => {
    const asked = request(url + path, { method, headers, agent: false })
    asked.on('error', reject)
    asked.on('response', (answer) => {
      let text = ''
      let endedAt: number | undefined
      const ended = new Promise<'end' | 'broken'>((settle) => {
        answer.on('close', () => {
          endedAt = performance.now()
          settle(answer.complete ? 'end' : 'broken')
        })
      })
      answer.setEncoding('utf8')
      answer.on('data', (piece: string) => {
        text += piece
      })
      answer.on('error', () => {})
      const leave = () => void asked.destroy()
      const events = () => eventsIn(text)
      resolve({
        status: answer.statusCode ?? 0,
        headers: answer.headers,
        text: () => text,
        events,
        names: () => events().map(({ name }) => name),
        ended,
        endedAt: () => endedAt,
        pause: () => void answer.pause(),
        resume: () => void answer.resume(),
        leave,
        async [Symbol.asyncDispose]() {
          leave()
          await ended
        },
      })
    })
    asked.end()
  })
}

/** The gate writes line feeds, and nothing but name and data. */
export function eventsIn(text: string): HeardEvent[] {
  return text
    .split('\n\n')
    .slice(0, -1)
    .filter((block) => block.startsWith('event: '))
    .map((block) => {
      const [first = '', ...lines] = block.split('\n')
      const data = lines.map((line) => line.slice('data: '.length)).join('\n')
      return { name: first.slice('event: '.length), data }
    })
}

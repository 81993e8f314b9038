/** A listener on a stream of server-sent events, for tests that publish small and well-formed ones. */

export type Heard = { name: string; data: string; coreid: string }

export type Listener = Disposable & {
  status: number
  /** What has come so far. */
  heard: readonly Heard[]
}

export async function listen(url: string, token: string): Promise<Listener> {
  const abort = new AbortController()
  const answer = await fetch(url, {
    headers: { authorization: `Bearer ${token}` },
    signal: abort.signal,
  })
  const heard: Heard[] = []
  const read = async () => {
    let rest = ''
    const text = answer.body?.pipeThrough(new TextDecoderStream())
    for await (const chunk of text ?? []) {
      const frames = (rest + chunk).split('\n\n')
      rest = frames.pop() ?? ''
      heard.push(...frames.flatMap(frameOf))
    }
  }
  if (answer.status === 200) {
    // The abort at the end of the test ends the reading too.
    read().catch((error: unknown) => {
      if (!abort.signal.aborted) throw error
    })
  }
  return { status: answer.status, heard, [Symbol.dispose]: () => abort.abort() }
}

/** Nothing for comments and heartbeats. */
function frameOf(frame: string): Heard[] {
  const lines = frame.split('\n')
  const valueOf = (field: string) =>
    lines.find((line) => line.startsWith(`${field}: `))?.slice(field.length + 2)
  const name = valueOf('event')
  const data = valueOf('data')
  if (name === undefined || data === undefined) return []
  const body: unknown = JSON.parse(data)
  const coreid = typeof body === 'object' && body !== null && 'coreid' in body ? body.coreid : ''
  return [{ name, data, coreid: String(coreid) }]
}

/** Returns when `isDone` holds, or when the time is up: then the test tells what is missing. */
export async function waitUntil(isDone: () => boolean, withinMs: number): Promise<void> {
  const end = Date.now() + withinMs
  while (!isDone() && Date.now() < end) await pause(10)
}

export async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms))
}

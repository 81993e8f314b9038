/** The cloud of the benchmark: a constant answer, from nginx where it is installed, from Node otherwise. */

import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { createServer as createProbe, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { end, has, pinned } from './processes.ts'

export type BenchUpstream = AsyncDisposable & { url: string; kind: 'nginx' | 'node' }

const BODY = JSON.stringify({
  id: '0123456789abcdef00000000',
  name: 'temperature',
  result: 21.5,
  coreInfo: { last_heard: '2026-01-01T00:00:00.000Z', connected: true },
})

export async function startUpstream(core: number): Promise<BenchUpstream> {
  return has('nginx') ? startNginx(core) : startNode()
}

async function startNginx(core: number): Promise<BenchUpstream> {
  const folder = await mkdtemp(join(tmpdir(), 'fleetgate-bench-'))
  const port = await freePort()
  await writeFile(
    join(folder, 'nginx.conf'),
    `daemon off; worker_processes 1; pid ${folder}/nginx.pid; error_log ${folder}/error.log;
events { worker_connections 2048; }
http {
  access_log off; keepalive_requests 100000000; keepalive_timeout 600s;
  client_body_temp_path ${folder}/b; proxy_temp_path ${folder}/p; fastcgi_temp_path ${folder}/f;
  uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
  server {
    listen 127.0.0.1:${port};
    location / { default_type application/json; return 200 '${BODY}'; }
  }
}
`,
  )
  const [command = '', ...rest] = pinned(core, ['nginx', '-p', folder, '-c', 'nginx.conf'])
  const child = spawn(command, rest, { stdio: 'ignore' })
  const url = `http://127.0.0.1:${port}`
  await answering(url)
  return {
    url,
    kind: 'nginx',
    async [Symbol.asyncDispose]() {
      await end(child)
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function startNode(): Promise<BenchUpstream> {
  const server = createServer((request, response) => {
    request.resume()
    response.writeHead(200, { 'content-type': 'application/json' }).end(BODY)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    kind: 'node',
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function freePort(): Promise<number> {
  const probe = createProbe()
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve))
  const { port } = probe.address() as AddressInfo
  await new Promise((resolve) => probe.close(resolve))
  return port
}

async function answering(url: string): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    try {
      await (await fetch(url)).text()
      return
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 25))
    }
  }
  throw new Error(`${url} did not begin to answer`)
}

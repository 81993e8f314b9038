/** Run by `--import` in a program under test: writes down, at its end, each file that it loaded as code. */

import { writeFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { isMainThread } from 'node:worker_threads'

const file = process.env['MODULES_FILE']
if (file !== undefined && isMainThread) {
  const urls: string[] = []
  registerHooks({
    load(url, context, next) {
      urls.push(url)
      return next(url, context)
    },
  })
  process.once('exit', () => writeFileSync(file, urls.join('\n')))
}

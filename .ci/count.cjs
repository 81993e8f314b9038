// Prints `N passed, N failed` from vitest's JSON report. A test file that could not even start counts as one failure, a
// report that is missing or says that the run failed never reads as success. Runs on any Node.
const { readFileSync } = require('node:fs')

function count(text) {
  const report = JSON.parse(text)
  const unstarted = report.testResults.filter(
    ({ status, assertionResults }) =>
      status === 'failed' && !assertionResults.some((test) => test.status === 'failed'),
  ).length
  const failed = report.numFailedTests + unstarted
  return { passed: report.numPassedTests, failed: report.success ? failed : Math.max(failed, 1) }
}

let result = { passed: 0, failed: 1 }
try {
  result = count(readFileSync(process.argv[2], 'utf8'))
} catch (error) {
  console.error(`no report of the tests: ${error.message}`)
}
console.log(`${result.passed} passed, ${result.failed} failed`)
process.exitCode = result.failed === 0 && result.passed > 0 ? 0 : 1

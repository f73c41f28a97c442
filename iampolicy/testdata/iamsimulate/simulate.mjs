// Reads simulations of @cloud-copilot/iam-simulate, one JSON object a line, and writes for each
// its result (Allowed, ImplicitlyDenied or ExplicitlyDenied) and the condition keys that it
// ignored, because the action does not have them; or an error.
import { createInterface } from 'node:readline'
import { runSimulation } from '@cloud-copilot/iam-simulate'

for await (const line of createInterface({ input: process.stdin })) {
  let answer
  try {
    const r = await runSimulation(JSON.parse(line), {})
    answer = { result: r.overallResult, ignored: r.result?.ignoredContextKeys, errors: r.errors }
  } catch (error) {
    answer = { errors: String(error) }
  }
  console.log(JSON.stringify(answer))
}

// Which of the things that are wrong the page's one alert shows: the most recent that still stands. Pure.
//
//     alerts.change('notice', problem)     // 'notice', 'trouble', 'model'; null: it is no longer wrong
//     alerts.shown()                       // { source, problem } or null
//
// A model that is down is wrong for a while, and is told anew at each look. It takes the place of what was told before
// it, but for what `stays`: an answer that broke off. Closed, it is not shown until it is down the next time.
export function makeAlerts() {
  const standing = new Map() // source -> { source, problem, at }
  let at = 0
  let closed = false

  function change(source, problem) {
    const before = standing.get(source)
    if (!problem) standing.delete(source)
    else if (source === 'model') standing.set(source, { source, problem, at: before?.at ?? begin() })
    else if (before?.problem !== problem) standing.set(source, { source, problem, at: ++at })
    if (source === 'model' && !problem) closed = false
  }

  function begin() {
    return standing.get('notice')?.problem.stays ? 0 : ++at
  }

  function close() {
    closed = true
  }

  function shown() {
    const open = [...standing.values()].filter(({ source }) => source !== 'model' || !closed)
    return open.reduce((newest, one) => (newest && newest.at > one.at ? newest : one), null)
  }

  return { change, close, shown }
}

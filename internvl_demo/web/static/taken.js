// The composer without the files that the tray has taken. Not `{ ...message }`: a component that was skipped once has a
// mark in its value by which Gradio knows updates.
(taken, message) => {
  const gone = new Set(JSON.parse(taken))
  return { text: message?.text ?? '', files: (message?.files ?? []).filter((file) => !gone.has(file.path)) }
}

// The composer after what the server says of it; what a person typed or added meanwhile stays.
// In: {"sent": {"text", "files"} | null, "back": text, "over": [texts]} as JSON, and the composer as it is. What was
// sent goes out of it; what comes back goes before what stands there, or takes the place of one of the texts `over`.
(given, message) => {
  const { sent, back, over = [] } = JSON.parse(given || '{}') // nothing while the page loads
  let text = message?.text ?? ''
  let files = message?.files ?? []
  if (sent) {
    if (text.startsWith(sent.text)) text = text.slice(sent.text.length).trimStart()
    files = files.filter((file) => !sent.files.includes(file.path))
  }
  if (back && (!text.trim() || over.includes(text.trim()))) text = back
  else if (back && !text.startsWith(back)) text = `${back}\n\n${text}`
  return { text, files }
}

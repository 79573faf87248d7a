// The paths of the composer's files that are not in the tray yet; its text is kept for a reload.
(message) => {
  try { sessionStorage.setItem('internvl-text', message?.text ?? '') } catch { /* forbidden */ }
  return JSON.stringify((message?.files ?? []).map((file) => file.path))
}

// Who this browser is, and which conversation this tab showed. Both stay in the browser; where it may keep
// nothing, they last as long as the page.
() => {
  const made = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('')
  try {
    const known = localStorage.getItem('internvl-owner')
    const owner = /^[0-9a-f]{32}$/.test(known) ? known : made()
    localStorage.setItem('internvl-owner', owner)
    return [owner, sessionStorage.getItem('internvl-conversation') ?? '']
  } catch {
    return [made(), '']
  }
}

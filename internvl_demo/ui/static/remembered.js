// Who this browser is, which conversation this tab showed, in which language, and what waited in its composer. All
// stay in the browser; where it may keep nothing, they last as long as the page. In: the tray as it is.
(tray) => {
  const made = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('')
  const own = navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en'
  const speak = (language) => {
    document.documentElement.lang = language
    document.documentElement.dataset.language = language
    return language
  }
  try {
    const known = localStorage.getItem('internvl-owner')
    const owner = /^[0-9a-f]{32}$/.test(known) ? known : made()
    localStorage.setItem('internvl-owner', owner)
    const chips = JSON.parse(sessionStorage.getItem('internvl-draft') ?? '[]')
    return [
      owner,
      sessionStorage.getItem('internvl-conversation') ?? '',
      speak(localStorage.getItem('internvl-language') || own),
      { text: sessionStorage.getItem('internvl-text') ?? '', files: [] },
      { ...tray, chips },
    ]
  } catch {
    return [made(), '', speak(own), { text: '', files: [] }, tray]
  }
}

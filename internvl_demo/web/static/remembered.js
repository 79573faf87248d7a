// Who this browser is, which conversation this tab showed, in which language, and what waited in its composer. All
// stay in the browser; where it may keep nothing, they last as long as the page. In: the tray and the composer as they
// are; who was faster than the page keeps what is in it.
(tray, composer) => {
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
    const text = composer?.text || (sessionStorage.getItem('internvl-text') ?? '')
    return [
      owner,
      sessionStorage.getItem('internvl-conversation') ?? '',
      speak(localStorage.getItem('internvl-language') || own),
      { text, files: composer?.files ?? [] },
      { ...tray, chips },
    ]
  } catch {
    return [made(), '', speak(own), { text: composer?.text ?? '', files: composer?.files ?? [] }, tray]
  }
}

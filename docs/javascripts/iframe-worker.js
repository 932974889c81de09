// Opened from the disk (file://), a page may not start workers: the search then runs in a hidden frame instead.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super()
      const frame = document.createElement("iframe")
      frame.hidden = true
      document.body.append(frame)
      this.inside = frame.contentWindow
      this.loaded = new Promise((resolve) => {
        const script = frame.contentDocument.createElement("script")
        script.src = url
        script.onload = resolve
        // inside a worker, postMessage answers the page
        this.inside.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }))
        frame.contentDocument.head.append(script)
      })
    }

    postMessage(data) {
      this.loaded.then(() => this.inside.dispatchEvent(new MessageEvent("message", { data })))
    }
  }
}

print("Hello, world!")
sys.exit()

from operations.cli import main

main(prog_name="forecourt")
